CREATE TABLE more_entries (id bigimt);
