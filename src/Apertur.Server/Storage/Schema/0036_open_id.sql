-- Who a person is at the OpenID provider that people may sign in by.
CREATE TABLE open_id_links (
  issuer     TEXT   NOT NULL,
  subject    TEXT   NOT NULL,                                             -- the provider's own name for the person: e-mail addresses change hands
  user_id    TEXT   NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX open_id_links_user ON open_id_links (user_id);

CREATE INDEX one_time_links_email ON one_time_links (email);
