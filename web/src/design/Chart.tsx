import { number } from '../dashboard/format';
import { t, type Words } from '../dashboard/text';

export interface Bar { readonly at: string; readonly all: number; readonly delivered: number; readonly failed: number }

/** What came in each day or hour, by what became of it. The same numbers stand in a table for who cannot see it. */
export function Chart({ bars, name, caption, column, most, low = false }: {
  bars: readonly Bar[]; name: (at: string) => string; caption: Words; column: Words; most: Words; low?: boolean;
}) {
  const highest = Math.max(1, ...bars.map(bar => bar.all));
  const [width, height] = [100 / bars.length, 100];
  const title = (bar: Bar) => `${name(bar.at)}: ${number(bar.all)} · ${t('Delivered')} ${number(bar.delivered)} · ${t('Failed')} ${number(bar.failed)}`;
  return (
    <div class={low ? 'chart low' : 'chart'}>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        <line class="base" x1="0" x2="100" y1={height} y2={height} vector-effect="non-scaling-stroke" />
        {bars.map((bar, index) => {
          const tall = (value: number) => value / highest * height;
          const [x, wide] = [index * width + width * .15, width * .7];
          const waiting = Math.max(0, bar.all - bar.delivered - bar.failed);
          return (
            <g key={bar.at}>
              <rect class="sent" x={x} width={wide} y={height - tall(bar.delivered)} height={tall(bar.delivered)} />
              <rect class="missing" x={x} width={wide} y={height - tall(bar.delivered + bar.failed)} height={tall(bar.failed)} />
              <rect class="waiting" x={x} width={wide} y={height - tall(bar.delivered + bar.failed + waiting)} height={tall(waiting)} />
              <rect class="hit" x={index * width} width={width} y="0" height={height}><title>{title(bar)}</title></rect>
            </g>
          );
        })}
      </svg>
      <div class="row apart small quiet" aria-hidden="true">
        <span>{bars[0] && name(bars[0].at)}</span><span>{t(most, { n: number(highest) })}</span><span>{bars.length > 0 && name(bars.at(-1)!.at)}</span>
      </div>
      <div class="unseen"><table>
        <caption>{t(caption)}</caption>
        <thead><tr><th>{t('Time')}</th><th>{t(column)}</th><th>{t('Delivered')}</th><th>{t('Failed')}</th></tr></thead>
        <tbody>{bars.map(bar => <tr key={bar.at}><th>{name(bar.at)}</th><td>{bar.all}</td><td>{bar.delivered}</td><td>{bar.failed}</td></tr>)}</tbody>
      </table></div>
    </div>
  );
}
