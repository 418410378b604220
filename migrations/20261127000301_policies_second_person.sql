-- A second person before a policy comes into force, where the organization wants one.

alter table orgs add column publishing_takes_two boolean not null default false;

-- Who asks that the draft be published as it stands; whatever changes the draft takes that back.
alter table policies add column proposed_by uuid;
alter table policies add column proposed_by_name text;
alter table policies add column proposed_at timestamptz;
alter table policies add column proposed_note text not null default '' constraint policies_proposed_note_length check (length(proposed_note) <= 500);
alter table policies add constraint policies_proposal_is_of_a_draft check (proposed_at is null or draft is not null);
alter table policies add constraint policies_proposal_is_whole check ((proposed_at is null) = (proposed_by_name is null)
    and (proposed_at is not null or (proposed_by is null and proposed_note = '')));
