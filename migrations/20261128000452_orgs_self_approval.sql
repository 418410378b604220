-- People may decide what agents in their own name ask, where the organization wants that: one person alone can agree
-- to nothing otherwise.

alter table orgs add column self_approval boolean not null default false;
