-- A grant names servers that there are, and loses one that is deleted; with none left it reaches nothing.
delete from grant_servers g where not exists (select from servers s where s.org_id = g.org_id and s.id = g.server_id);
alter table grant_servers add constraint grant_servers_server_is_here
    foreign key (org_id, server_id) references servers (org_id, id) on delete cascade;
