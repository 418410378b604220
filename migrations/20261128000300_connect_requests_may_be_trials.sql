-- A sign-in that an admin tries: what comes of it is told and not kept.

alter table connect_requests add column is_trial boolean not null default false;
