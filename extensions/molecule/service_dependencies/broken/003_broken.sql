-- +goose Up
CREATE TABLE half_way (id bigint);
ALTER TABLE half_way ADD COLUMN at timestampz;
