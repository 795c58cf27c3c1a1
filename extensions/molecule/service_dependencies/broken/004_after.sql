-- +goose Up
CREATE TABLE after_it (id bigint);
