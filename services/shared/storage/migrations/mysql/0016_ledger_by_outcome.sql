-- The outcome before the time, so that rare outcomes of a name with many rows are found without passing over the others.
-- One statement, whole or not at all, which can be run again.
ALTER TABLE ledger
    DROP KEY ledger_model,
    DROP KEY ledger_client_key,
    DROP KEY ledger_account,
    ADD KEY ledger_model (model, outcome, id, account, client_key),
    ADD KEY ledger_client_key (client_key, outcome, id, account, model),
    ADD KEY ledger_account (account, outcome, id, client_key, model);
