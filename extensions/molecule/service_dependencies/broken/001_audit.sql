-- +goose Up
CREATE TABLE audit_events (id bigint PRIMARY KEY, note text NOT NULL);
-- +goose StatementBegin
CREATE FUNCTION note_length(audit_events) RETURNS int AS $$
BEGIN
  RETURN length($1.note);
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_events;
