-- A server's own address names no organization: whose it is, is asked by its id alone.

create index servers_by_id on servers (id);
