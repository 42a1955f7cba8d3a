import { t, type Words } from './text';

// What the audit log has of changes, by the server's names of them: a route's slice and what it does there.
const words: Readonly<Record<string, Words>> = {
  'destinations.create': 'Destination created', 'destinations.update': 'Destination changed', 'destinations.delete': 'Destination deleted',
  'destinations.test': 'Destination tested', 'o_auth.authorize': 'Destination connected',
  'event_webhooks.create': 'Event webhook created', 'event_webhooks.update': 'Event webhook changed', 'event_webhooks.delete': 'Event webhook deleted',
  'event_deliveries.test': 'Event webhook tested', 'event_deliveries.retry': 'Event sent again',
  'keys.create': 'Key created', 'keys.update': 'Key changed', 'keys.delete': 'Key deleted', 'keys.disable': 'Key switched off', 'keys.set_destinations': 'Destinations of a key changed',
  'key_secrets.create_signing_secret': 'Signing of a key begun', 'key_secrets.delete_signing_secret': 'Signing of a key ended',
  'key_secrets.create_totp': 'One-time codes of a key begun', 'key_secrets.confirm_totp': 'One-time codes of a key switched on', 'key_secrets.delete_totp': 'One-time codes of a key switched off',
  'members.invite': 'Somebody invited', 'members.join': 'Member joined', 'members.update': 'Role of a member changed', 'members.delete': 'Member removed',
  'members.delete_invitation': 'Invitation withdrawn', 'members.create_sign_in_link': 'Sign-in link made', 'members.sign_in_by_link': 'Signed in by a link',
  'projects.create': 'Project created', 'projects.update': 'Project changed', 'projects.disable': 'Project switched off', 'projects.enable': 'Project switched on',
  'projects.rotate_webhook_secret': 'Webhook secret renewed',
  'replays.create': 'Sending again begun', 'replays.pause': 'Sending again paused', 'replays.resume': 'Sending again resumed', 'replays.cancel': 'Sending again stopped',
  'sessions.update': 'Session changed', 'sessions.delete': 'Session deleted', 'sessions.complete': 'Session completed',
  'share.create': 'Link of a session sent', 'share.revoke': 'Link of a session taken back',
  'upload.delete': 'Photo deleted', 'uploads.adopt': 'Photo found again', 'deliveries.retry': 'Photo sent again',
};

/** What was done, as people say it; a name that is not known here as it is. */
export const actWords = (action: string): string => words[action] === undefined ? action : t(words[action]);

const places: Readonly<Record<string, string>> = {
  destinations: 'destinations', o_auth: 'destinations', event_webhooks: 'webhooks', sessions: 'sessions', share: 'sessions', upload: 'uploads', uploads: 'sessions', deliveries: 'uploads',
};

/** Where what it was done to is to be seen; undefined where that has no page, or none any more. */
export function placeOf(project: string, action: string, thing: string): string | undefined {
  const [slice = '', act = ''] = action.split('.');
  return places[slice] === undefined || act === 'delete' ? undefined : `/p/${project}/${places[slice]}/${thing}`;
}
