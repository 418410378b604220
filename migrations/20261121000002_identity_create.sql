-- People and how they prove who they are. A person belongs to no organization by themselves; memberships say where.

create table users (
    id uuid primary key,
    email text not null,
    email_key text not null constraint users_email_is_free unique,
    name text not null constraint users_name_length check (length(name) between 1 and 100),
    email_verified_at timestamptz,
    password_hash text,
    password_changed_at timestamptz,
    is_operator boolean not null default false,
    theme text not null default 'system' constraint users_theme_known check (theme in ('system', 'light', 'dark')),
    time_zone text not null default 'UTC',
    shortcuts boolean not null default true,
    last_org_id uuid,
    disabled_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null default 1
);
alter table users enable row level security;
alter table users force row level security;
grant select, insert, update on users to portreeve_app, portreeve_system;
create policy of_this_person on users to portreeve_app using (id = (select current_person())) with check (id = (select current_person()));
create policy of_the_system on users to portreeve_system using (true) with check (true);

create table totp_secrets (
    user_id uuid primary key references users on delete cascade,
    sealed_secret bytea not null,
    data_key_id uuid not null,
    created_at timestamptz not null,
    confirmed_at timestamptz,
    -- A code is good once.
    last_step bigint not null default 0
);
call make_person_table('totp_secrets');

create table recovery_codes (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    code_hash bytea not null,
    created_at timestamptz not null,
    used_at timestamptz
);
create index recovery_codes_of_user on recovery_codes (user_id);
call make_person_table('recovery_codes');

create table passkeys (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    name text not null constraint passkeys_name_length check (length(name) between 1 and 60),
    credential_id bytea not null constraint passkeys_credential_is_new unique,
    -- The public half with its counter; holds nothing secret.
    credential jsonb not null,
    created_at timestamptz not null,
    last_used_at timestamptz
);
create index passkeys_of_user on passkeys (user_id);
call make_person_table('passkeys');

create table sessions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    token_hash bytea not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    ip inet,
    user_agent text,
    -- How the person proved themselves: password, totp, recovery_code, passkey, set_up.
    methods text[] not null constraint sessions_methods_known
        check (methods <@ array['password', 'totp', 'recovery_code', 'passkey', 'set_up']),
    -- When they last proved it for a sensitive act.
    proven_at timestamptz not null
);
create index sessions_of_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);
call make_person_table('sessions');

-- A sign-in between its steps, or a passkey ceremony between challenge and answer.
create table ceremonies (
    id uuid primary key,
    token_hash bytea not null,
    purpose text not null constraint ceremonies_purpose_known
        check (purpose in ('second_factor', 'passkey_sign_in', 'passkey_proof', 'passkey_registration', 'set_up')),
    user_id uuid references users on delete cascade,
    state jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index ceremonies_expiry on ceremonies (expires_at);
grant select, insert, update, delete on ceremonies to portreeve_system;

-- Links sent by mail: proving an address, resetting a password, finishing a sign-up.
create table mail_tokens (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    purpose text not null constraint mail_tokens_purpose_known check (purpose in ('verify_email', 'reset_password', 'change_email')),
    email text not null,
    token_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index mail_tokens_of_user on mail_tokens (user_id, purpose);
create index mail_tokens_expiry on mail_tokens (expires_at);
call make_person_table('mail_tokens');
