import { Cloud, Database, FolderSync, HardDrive, Send, Webhook, type IconNode } from 'lucide';
import { Icon } from '../design/Icon';
import { Notice } from '../design/Notice';
import { api, ok, type Schemas } from './api/client';
import { useLoad } from './load';
import { t } from './text';

type Type = Schemas['DestinationType'];

const icons: Readonly<Record<string, IconNode>> = {
  webhook: Webhook, s3: Database, gcs: Cloud, google_drive: HardDrive, dropbox: FolderSync,
};

export const iconOf = (type: string): IconNode => icons[type] ?? Send;

export const useDestinationTypes = () => useLoad(signal => ok(api.GET('/api/v1/destination-types', { signal })), []);

/** What a type of destination is called. */
export const kindIn = (types: readonly Type[] | undefined, type: string): string => types?.find(each => each.type === type)?.label ?? type;

/** Whether photos reach a destination, in one word. */
export const destinationState = (destination: Schemas['Destination'], health: Schemas['DestinationHealth'] | undefined): string =>
  destination.problem !== null || (health !== undefined && (health.isFailing || health.failedLately > 0)) ? 'attention' : destination.isActive ? 'on' : 'off';

/** Where photos can go. */
export function TypeChoice({ types, chosen, onChoose }: { types: readonly Type[]; chosen: Type | undefined; onChoose: (type: Type) => void }) {
  return (
    <div class="stack">
      <div class="choices" role="group" aria-label={t('Kind of destination')}>
        {types.map(type => (
          <button key={type.type} type="button" class="choice" aria-pressed={chosen?.type === type.type} onClick={() => onChoose(type)}>
            <Icon of={iconOf(type.type)} /><span>{type.label}</span>
          </button>
        ))}
      </div>
      {chosen?.problem && <Notice kind="warn">{chosen.problem}</Notice>}
    </div>
  );
}
