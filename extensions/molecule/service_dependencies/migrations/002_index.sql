-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY audit_events_note ON audit_events (note);

-- +goose Down
DROP INDEX audit_events_note;
