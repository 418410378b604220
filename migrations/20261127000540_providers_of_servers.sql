-- Providers that a server named: whom their tokens are for, and how the client came to be registered.

alter table providers
    -- The one resource that tokens are asked for (RFC 8707); none for a provider of many.
    add column resource text constraint providers_resource_length check (length(resource) <= 2000),
    -- By whom: an admin entered it, it is known by a document of ours, or it registered by itself.
    add column enrolment text not null default 'entered' constraint providers_enrolment_known check (enrolment in ('entered', 'document', 'registered'));
