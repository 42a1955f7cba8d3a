import { t } from './text';

export const sources = ['camera', 'gallery', 'url', 'google_drive', 'google_photos', 'dropbox', 'onedrive', 'box', 'instagram'] as const;

const brands: Readonly<Record<string, string>> = {
  google_drive: 'Google Drive', google_photos: 'Google Photos', dropbox: 'Dropbox', onedrive: 'OneDrive', box: 'Box', instagram: 'Instagram',
};

export const sourceWords = (source: string): string =>
  source === 'camera' ? t('Camera') : source === 'gallery' ? t('Gallery') : source === 'url' ? t('Web address') : brands[source] ?? source;
