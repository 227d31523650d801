-- The outcome before the time, so that rare outcomes of a name with many rows are found without passing over the others.
DROP INDEX ledger_model;
DROP INDEX ledger_client_key;
DROP INDEX ledger_account;
CREATE INDEX ledger_model ON ledger (model, outcome, id, account, client_key);
CREATE INDEX ledger_client_key ON ledger (client_key, outcome, id, account, model);
CREATE INDEX ledger_account ON ledger (account, outcome, id, client_key, model);
