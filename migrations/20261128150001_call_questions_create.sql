-- Questions of servers wait on the replica that asked them. An answer that comes to another replica is left here for it, and
-- what the call comes to then is left for the replica at which its agent waits. All that was said is sealed.

create table call_questions (
    org_id uuid not null,
    id uuid not null,
    -- Who may answer.
    grant_id uuid not null,
    server_id uuid not null,
    -- Of the call that is to be made again with the answers; none where the answer comes by itself.
    call bytea,
    -- By what names the answers have to come.
    wanted text[] not null,
    -- What the agent said, sealed under the organization's key; once.
    sealed_words bytea,
    words_key_id uuid,
    -- By the database's clock, which all replicas share.
    expires_at timestamptz not null,
    -- When the replica that asked, and has taken the words, last said that it lives.
    alive_at timestamptz,
    primary key (org_id, id),
    constraint call_questions_grant_is_here foreign key (org_id, grant_id) references grants (org_id, id) on delete cascade,
    constraint call_questions_words_are_whole check (num_nonnulls(sealed_words, words_key_id) in (0, 2))
);
create index call_questions_of_grant on call_questions (org_id, grant_id);
create index call_questions_over on call_questions (expires_at);
call make_tenant_table('call_questions');
grant select, delete on call_questions to portreeve_system;
create policy of_the_system on call_questions to portreeve_system using (true) with check (true);

-- What a call comes to whose agent waits at another replica, piece by piece.
create table call_pieces (
    org_id uuid not null,
    question_id uuid not null,
    number integer not null,
    sealed_piece bytea not null,
    key_id uuid not null,
    primary key (org_id, question_id, number),
    constraint call_pieces_question_is_here foreign key (org_id, question_id)
        references call_questions (org_id, id) on delete cascade
);
call make_tenant_table('call_pieces');
