-- A client that renews a sign-in from several places at once is no thief: a used token counts a little longer where it was used first.

ALTER TABLE refresh_tokens ADD COLUMN used_from TEXT;                     -- the client's address (IPv6: its /64)
