import { day, number } from '../dashboard/format';
import { t } from '../dashboard/text';

export interface Bar { readonly date: string; readonly all: number; readonly delivered: number; readonly failed: number }

/** Photos of each day, by what became of them. The same numbers stand in a table for who cannot see it. */
export function DayChart({ bars }: { bars: readonly Bar[] }) {
  const highest = Math.max(1, ...bars.map(bar => bar.all));
  const [width, height] = [100 / bars.length, 100];
  const title = (bar: Bar) => `${day(bar.date)}: ${number(bar.all)} · ${t('Delivered')} ${number(bar.delivered)} · ${t('Failed')} ${number(bar.failed)}`;
  return (
    <div class="chart">
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        <line class="base" x1="0" x2="100" y1={height} y2={height} vector-effect="non-scaling-stroke" />
        {bars.map((bar, index) => {
          const tall = (value: number) => value / highest * height;
          const [x, wide] = [index * width + width * .15, width * .7];
          const waiting = Math.max(0, bar.all - bar.delivered - bar.failed);
          return (
            <g key={bar.date}>
              <rect class="sent" x={x} width={wide} y={height - tall(bar.delivered)} height={tall(bar.delivered)} />
              <rect class="missing" x={x} width={wide} y={height - tall(bar.delivered + bar.failed)} height={tall(bar.failed)} />
              <rect class="waiting" x={x} width={wide} y={height - tall(bar.delivered + bar.failed + waiting)} height={tall(waiting)} />
              <rect class="hit" x={index * width} width={width} y="0" height={height}><title>{title(bar)}</title></rect>
            </g>
          );
        })}
      </svg>
      <div class="row apart small quiet" aria-hidden="true">
        <span>{bars[0] && day(bars[0].date)}</span><span>{t('At most {n} a day', { n: number(highest) })}</span><span>{bars.length > 0 && day(bars.at(-1)!.date)}</span>
      </div>
      <table class="unseen">
        <caption>{t('Photos per day')}</caption>
        <thead><tr><th>{t('Day')}</th><th>{t('Photos')}</th><th>{t('Delivered')}</th><th>{t('Failed')}</th></tr></thead>
        <tbody>{bars.map(bar => <tr key={bar.date}><th>{day(bar.date)}</th><td>{bar.all}</td><td>{bar.delivered}</td><td>{bar.failed}</td></tr>)}</tbody>
      </table>
    </div>
  );
}
