// What this page sends: JSON to the gateway, and its refusals as they are.

export interface FieldError {
  field: string;
  detail: string;
}

/** The gateway's no (RFC 9457), or that it gave no answer: then `status` is 0. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly errors: readonly FieldError[] = [],
  ) {
    super(message);
  }
}

/** The answer's JSON. Throws Refusal. */
export async function post<T>(url: string, body: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refusal(
      0,
      "No answer from the gateway. It may not have taken this: look before you send again.",
    );
  }
  return await answer<T>(response);
}

/** The JSON at an address. Throws Refusal. */
export async function get<T>(url: string): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    throw new Refusal(0, "No answer from the gateway.");
  }
  return await answer<T>(response);
}

async function answer<T>(response: Response): Promise<T> {
  try {
    const value: unknown = await response.json();
    if (response.ok) return value as T;
    const { detail, errors } = value as { detail?: string; errors?: FieldError[] };
    throw new Refusal(response.status, detail ?? response.statusText, errors ?? []);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(response.status, `The gateway's answer (${response.status}) cannot be read.`);
  }
}
