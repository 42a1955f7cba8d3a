-- The server's own RSA key pair: one, whoever comes first. The private key is encrypted, bound to its row and column.
CREATE TABLE encryption_keys (
  id          TEXT    NOT NULL PRIMARY KEY,
  the_one     INTEGER NOT NULL UNIQUE CHECK (the_one = 1),
  public_key  TEXT    NOT NULL,                        -- PEM, SubjectPublicKeyInfo
  private_key TEXT    NOT NULL,
  created_at  BIGINT  NOT NULL
);
