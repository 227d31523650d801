/** Words that times are made of. */
export interface TimeWords {
  never: string;
  now: string;
  seconds: (n: string) => string;
  minutes: (n: string) => string;
  hours: (n: string) => string;
  days: (n: string) => string;
  ago: (span: string) => string;
  in: (span: string) => string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Numbers, sizes and times in one language. */
export class Formats {
  private readonly whole: Intl.NumberFormat;
  private readonly short: Intl.NumberFormat;
  private readonly dates: Intl.DateTimeFormat;
  private readonly clock: Intl.DateTimeFormat;
  private readonly days: Intl.DateTimeFormat;

  constructor(
    language: string,
    private readonly words: TimeWords,
  ) {
    const locale = language === "zh" ? "zh-CN" : "en-GB";
    this.whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, signDisplay: "negative" });
    this.short = new Intl.NumberFormat(locale, {
      notation: "compact",
      maximumFractionDigits: 1,
      signDisplay: "negative",
    });
    this.dates = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
    this.clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.days = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
  }

  number(value: number): string {
    return this.whole.format(value);
  }

  /** 12,345 → 12.3K (1.2万); small numbers stay whole. */
  compact(value: number): string {
    return Math.abs(value) < 10_000 ? this.whole.format(value) : this.short.format(value);
  }

  decimal(value: number, digits = 1): string {
    return value.toFixed(digits);
  }

  /** A share from 0 to 1. */
  percent(share: number): string {
    const value = share * 100;
    return `${value === 100 || value === 0 || value < 90 ? value.toFixed(0) : value.toFixed(1)}%`;
  }

  bytes(value: number): string {
    const units = ["B", "KB", "MB", "GB", "TB"];
    let size = value;
    let unit = 0;
    while (size >= 1024 && unit < units.length - 1) {
      size /= 1024;
      unit += 1;
    }
    return `${unit === 0 || size >= 100 ? size.toFixed(0) : size.toFixed(1)} ${units[unit]}`;
  }

  /** Milliseconds as people measure them: "840 ms", "3.2 s", "4:05 min". */
  duration(ms: number): string {
    if (ms < SECOND) return `${Math.round(ms)} ms`;
    if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
    const seconds = Math.round(ms / SECOND);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
  }

  /** A stretch of time in its largest unit: "3 h". */
  span(ms: number): string {
    const { seconds, minutes, hours, days } = this.words;
    if (ms < MINUTE) return seconds(String(Math.max(0, Math.round(ms / SECOND))));
    if (ms < 90 * MINUTE) return minutes(String(Math.round(ms / MINUTE)));
    if (ms < 48 * HOUR) return hours(String(Math.round(ms / HOUR)));
    return days(String(Math.round(ms / DAY)));
  }

  /** How long ago, or "never" for a time that is missing. */
  ago(at: number | null | undefined, now: number): string {
    if (!at) return this.words.never;
    const passed = now - at;
    return passed < 5 * SECOND ? this.words.now : this.words.ago(this.span(passed));
  }

  /** Until a time to come; "now" once it has passed. */
  until(at: number, now: number): string {
    return at <= now ? this.words.now : this.words.in(this.span(at - now));
  }

  /** Date and time to the second. */
  moment(at: number): string {
    return this.dates.format(at);
  }

  time(at: number): string {
    return this.clock.format(at);
  }

  day(at: number): string {
    return this.days.format(at);
  }
}
