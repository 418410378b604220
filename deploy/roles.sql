-- Run once by the Postgres image on an empty volume: the roles and the database. `portreeve migrate` makes the rest.
\set owner_password `echo "$OWNER_PASSWORD"`
\set app_password `echo "$APP_PASSWORD"`
create role portreeve_owner login password :'owner_password';
create role portreeve_system nologin;
create role portreeve_app login noinherit password :'app_password';
grant portreeve_system to portreeve_app;
create database portreeve owner portreeve_owner;
revoke connect, temporary on database portreeve from public;
grant connect on database portreeve to portreeve_app;
