import {
  Area,
  Bar,
  CartesianGrid,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import { useFormats, useText } from "@/i18n";
import type { Point } from "./fill";

export const metrics = ["requests", "tokens", "units", "first", "speed"] as const;
export type Metric = (typeof metrics)[number];

interface Part {
  field: keyof Point;
  colour: string;
  look: "bar" | "line" | "area";
}

const parts: Record<Metric, Part[]> = {
  requests: [
    { field: "success", colour: "var(--accent)", look: "bar" },
    { field: "cancelled", colour: "var(--ink-faint)", look: "bar" },
    { field: "failed", colour: "var(--bad)", look: "bar" },
  ],
  tokens: [
    { field: "output", colour: "var(--accent)", look: "bar" },
    { field: "input", colour: "var(--ink-faint)", look: "bar" },
  ],
  units: [{ field: "units", colour: "var(--accent)", look: "bar" }],
  first: [
    { field: "first50", colour: "var(--accent)", look: "line" },
    { field: "first95", colour: "var(--warn)", look: "line" },
  ],
  speed: [{ field: "speed", colour: "var(--accent)", look: "area" }],
};

interface Props {
  points: Point[];
  metric: Metric;
  /** Milliseconds of a step. */
  width: number;
}

const tick = { fill: "var(--ink-faint)", fontSize: 11 };
const DAY = 86_400_000;

export default function UsageChart({ points, metric, width }: Props) {
  const t = useText();
  const f = useFormats();
  const shown = parts[metric];
  const value = (amount: number) => (metric === "first" ? f.duration(amount) : f.compact(amount));
  const when = (at: number) => (width >= DAY ? f.day(at) : f.time(at).slice(0, 5));
  const last = shown.length - 1;
  return (
    <figure>
      <div className="h-64" role="img" aria-label={t.dashboard.metrics[metric]}>
        <ResponsiveContainer width="100%" height="100%">
          <ComposedChart
            data={points}
            margin={{ top: 8, right: 8, bottom: 0, left: 0 }}
            barCategoryGap="18%"
            accessibilityLayer={false}
          >
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis
              dataKey="start"
              tickFormatter={when}
              tick={tick}
              tickLine={false}
              axisLine={false}
              minTickGap={48}
            />
            <YAxis
              tickFormatter={value}
              tick={tick}
              tickLine={false}
              axisLine={false}
              width={56}
              allowDecimals={metric === "speed"}
            />
            <Tooltip
              isAnimationActive={false}
              cursor={{ fill: "var(--sunken)", stroke: "var(--line)" }}
              labelFormatter={(at) => f.moment(Number(at))}
              formatter={(amount, name) => [
                value(Number(amount)),
                t.dashboard.fields[name as keyof typeof t.dashboard.fields],
              ]}
              contentStyle={{
                background: "var(--surface)",
                border: "1px solid var(--line)",
                borderRadius: 8,
                fontSize: 12,
              }}
              itemStyle={{ color: "var(--ink)", padding: 0 }}
            />
            {shown.map(({ field, colour, look }, index) =>
              look === "bar" ? (
                <Bar
                  key={field}
                  dataKey={field}
                  name={field}
                  stackId="all"
                  fill={colour}
                  isAnimationActive={false}
                  radius={index === last ? [2, 2, 0, 0] : 0}
                  maxBarSize={28}
                />
              ) : look === "line" ? (
                <Line
                  key={field}
                  dataKey={field}
                  name={field}
                  stroke={colour}
                  strokeWidth={1.75}
                  dot={false}
                  connectNulls
                  isAnimationActive={false}
                />
              ) : (
                <Area
                  key={field}
                  dataKey={field}
                  name={field}
                  stroke={colour}
                  fill="var(--accent-wash)"
                  strokeWidth={1.75}
                  connectNulls
                  isAnimationActive={false}
                />
              ),
            )}
          </ComposedChart>
        </ResponsiveContainer>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 pl-14 text-xs text-soft">
        {shown.map(({ field, colour }) => (
          <span key={field} className="inline-flex items-center gap-1.5">
            <svg aria-hidden viewBox="0 0 8 8" className="size-2">
              <rect width="8" height="8" rx="2" fill={colour} />
            </svg>
            {t.dashboard.fields[field as keyof typeof t.dashboard.fields]}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
