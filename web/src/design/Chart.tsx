import { number } from '../dashboard/format';
import { t, type Words } from '../dashboard/text';

/** What came in within a day or an hour: how many of each part, in the parts' order. */
export interface Bar { readonly at: string; readonly values: readonly number[] }

/** A part of each bar, from the bottom up: what it is called, and which colour it has. */
export interface Part { readonly words: Words; readonly look: 'sent' | 'partly' | 'missing' | 'waiting' }

/** What came in each day or hour, by what became of it. A table has the same numbers but those that are none, for whoever cannot see or point at the bars. */
export function Chart({ bars, parts, name, caption, column, most, low = false }: {
  bars: readonly Bar[]; parts: readonly Part[]; name: (at: string) => string; caption: Words; column: Words; most: Words; low?: boolean;
}) {
  const all = (bar: Bar) => bar.values.reduce((sum, value) => sum + value, 0);
  const highest = Math.max(1, ...bars.map(all));
  const [width, height] = [100 / bars.length, 100];
  const title = (bar: Bar) => [`${name(bar.at)}: ${number(all(bar))}`, ...parts.map((part, index) => `${t(part.words)} ${number(bar.values[index]!)}`)].join(' · ');
  return (
    <div class={low ? 'chart low' : 'chart'}>
      <span class="small quiet" aria-hidden="true">{t(most, { n: number(highest) })}</span>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        <line class="base" x1="0" x2="100" y1={height} y2={height} vector-effect="non-scaling-stroke" />
        {bars.map((bar, index) => {
          let top = height;
          return (
            <g key={bar.at}>
              {parts.map((part, of) => {
                const tall = bar.values[of]! / highest * height;
                top -= tall;
                return <rect key={part.look} class={part.look} x={index * width + width * .15} width={width * .7} y={top} height={tall} />;
              })}
              <rect class="hit" x={index * width} width={width} y="0" height={height}><title>{title(bar)}</title></rect>
            </g>
          );
        })}
      </svg>
      <div class="row apart small quiet" aria-hidden="true">
        <span>{bars[0] && name(bars[0].at)}</span><span>{bars.length > 0 && name(bars.at(-1)!.at)}</span>
      </div>
      <div class="row legend-row">{parts.map(part => <span key={part.look} class={`legend-dot ${part.look}`}>{t(part.words)}</span>)}</div>
      <details>
        <summary>{t('As a table')}</summary>
        <table class="table">
          <caption class="unseen">{t(caption)}</caption>
          <thead><tr><th>{t('Time')}</th><th class="num">{t(column)}</th>{parts.map(part => <th key={part.look} class="num">{t(part.words)}</th>)}</tr></thead>
          <tbody>{bars.filter(all).map(bar => <tr key={bar.at}><th>{name(bar.at)}</th><td class="num">{number(all(bar))}</td>{parts.map((part, of) => <td key={part.look} class="num">{number(bar.values[of]!)}</td>)}</tr>)}</tbody>
        </table>
      </details>
    </div>
  );
}
