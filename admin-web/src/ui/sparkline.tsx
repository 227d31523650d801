interface Props {
  values: readonly number[];
  /** How many values fill the width. */
  slots: number;
  label: string;
}

/** A small line of recent values; the newest at the right edge. */
export function Sparkline({ values, slots, label }: Props) {
  const top = Math.max(1, ...values);
  const offset = slots - values.length;
  const points = values.map(
    (value, index) => `${((offset + index) / (slots - 1)) * 100},${28 - (value / top) * 26}`,
  );
  const first = (offset / (slots - 1)) * 100;
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      className="h-10 w-full"
    >
      <path d="M0 29.5H100" className="stroke-line" strokeWidth="1" vectorEffect="non-scaling-stroke" />
      {points.length > 1 && (
        <>
          <polygon points={`${first},29 ${points.join(" ")} 100,29`} className="fill-accent-wash" />
          <polyline
            points={points.join(" ")}
            fill="none"
            className="stroke-accent"
            strokeWidth="1.5"
            strokeLinejoin="round"
            vectorEffect="non-scaling-stroke"
          />
        </>
      )}
    </svg>
  );
}
