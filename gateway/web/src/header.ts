// Site, time since last data, the gateway's time; and the banner when what is shown is old.

import { h, refill, setText } from "./dom";
import { icon } from "./icons";
import { SCANS_UNTIL_STALE } from "./judge";
import { navigation, type PageId } from "./nav";
import { SILENCE_MS_MAX, type Store } from "./store";
import { themeButton } from "./theme";
import { formatTime } from "./when";
import { formatSpan } from "./units";

export type Freshness = "live" | "starting" | "no-connection" | "no-data";

export class Header {
  readonly element = h("header");
  readonly banner = h("div", { class: "banner", role: "alert", hidden: true });
  private readonly age = h("span", { class: "age" });
  private readonly link = h("span", { class: "link" });
  private readonly time = h("span", { class: "time" });
  private readonly bannerText = h("strong");
  private readonly bannerTime = h("span", { class: "banner-time" });

  constructor(
    private readonly store: Store,
    page: PageId,
    themeChanged: () => void,
  ) {
    const { name, site, note } = store.plant;
    const title = h("h1", {}, name);
    this.element.append(
      h("div", { class: "site" }, title, h("span", { class: "muted" }, site)),
      h("span", { class: "site-note" }, note),
      navigation(page),
      h("div", { class: "pulse" }, this.link, this.age),
      this.time,
      themeButton(themeChanged),
    );
    if (note === "") this.element.querySelector(".site-note")?.remove();
    this.banner.append(icon("stale"), this.bannerText, this.bannerTime);
  }

  update(): Freshness {
    const { store } = this;
    const fresh = freshness(store);
    const ageMs = store.dataAgeMs();
    setText(this.age, ageMs === null ? "No data yet" : `Last data ${formatSpan(ageMs)} ago`);
    setText(this.time, formatTime(store.nowMs()));
    this.time.title = "Time of the gateway, in this device's time zone";
    refill(this.link, fresh, () => [
      icon(fresh === "no-connection" ? "lost" : "live"),
      h("span", {}, fresh === "no-connection" ? "Not connected" : "Connected"),
    ]);
    const old = fresh === "no-connection" || fresh === "no-data";
    this.banner.hidden = !old;
    if (old) {
      const lost = fresh === "no-connection";
      setText(
        this.bannerText,
        lost
          ? "No connection to the gateway. Values are old."
          : "No new data from the plant. Values are old.",
      );
      setText(this.bannerTime, formatSpan(lost ? store.silentMs() : (ageMs ?? 0)));
    }
    return fresh;
  }
}

export function freshness(store: Store): Freshness {
  if (store.silentMs() > SILENCE_MS_MAX) return "no-connection";
  const ageMs = store.dataAgeMs();
  if (ageMs === null) return "starting";
  return ageMs > SCANS_UNTIL_STALE * store.scanMsMax() ? "no-data" : "live";
}
