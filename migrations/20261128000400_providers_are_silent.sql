-- When admins were last written to because a provider gives no new tokens.

alter table providers add column silence_told_at timestamptz;
