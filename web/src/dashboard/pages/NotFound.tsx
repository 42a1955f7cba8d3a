import { SearchX } from 'lucide';
import { LinkButton } from '../../design/Button';
import { Empty } from '../../design/Empty';
import { Head } from '../Head';
import { t } from '../text';

export default function NotFound() {
  return (
    <>
      <Head title={t('Not found')} />
      <div class="card">
        <Empty icon={SearchX} title={t('There is nothing here')} action={<LinkButton href="/" primary>{t('All projects')}</LinkButton>}>
          {t('This does not exist, or you have no access to it any more.')}
        </Empty>
      </div>
    </>
  );
}
