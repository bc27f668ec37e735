// Moments as the operator's own clock shows them.

export function formatTime(ms: number): string {
  return new Date(ms).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

export function formatDay(ms: number): string {
  return new Date(ms).toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
}

export function formatDate(ms: number): string {
  return new Date(ms).toLocaleString([], {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}

/** "2026-11-22 21:03 UTC": dates of licences and rules are UTC, and mean the same to every reader. */
export function formatUtc(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime())
    ? "beyond any calendar"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** "2026-11-22 21:03:11 UTC". */
export function formatUtcSeconds(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime())
    ? "beyond any calendar"
    : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
