CREATE TABLE entries (id bigint PRIMARY KEY, made_by text DEFAULT current_setting('application_name'));
INSERT INTO entries (id) VALUES (1);
GRANT SELECT ON entries TO auditor;
