//! All SQL of limits but the taking, which is part of the record.

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        crypto::digest::Digest,
        ids::PolicyId,
        page::{Page, PageRequest},
    },
    domain::limits::{Usage, UsageFilter},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// What is used of limits whose span is not over, by counter. The page's key is the digest in hexadecimal.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    filter: &UsageFilter,
    page: &PageRequest<(String, String)>,
    now: OffsetDateTime,
) -> DbResult<Page<Usage>> {
    let after = page.after.as_ref().map(|(counter, key)| (counter.replace('\0', ""), key.clone()));
    let (after_counter, after_key) = after.unzip();
    let rows = sqlx::query!(
        r#"select n.key, encode(n.key, 'hex') as "text!", n.policy_id as "policy: PolicyId", n.counter, n.scope,
            n.scope_id, n.span,
            coalesce(nullif((select count(distinct x.value) from limit_values x
                where x.org_id = $1 and x.key = n.key and x.ends_at > $2), 0)::numeric, sum(n.used))::text as "used!",
            (array_agg(n.most order by n.began_at desc))[1]::text as "most!", max(n.ends_at) as "ends_at!"
        from limit_counts n
        where n.org_id = $1 and n.ends_at > $2 and ($3::uuid is null or n.policy_id = $3)
            and ($4::text is null or n.scope_id = $4)
            and ($5::text is null or (n.counter, encode(n.key, 'hex')) > ($5, $6))
        group by n.key, n.policy_id, n.counter, n.scope, n.scope_id, n.span
        order by n.counter, encode(n.key, 'hex') limit $7"#,
        tx.org().uuid(),
        now,
        filter.policy.map(PolicyId::uuid),
        filter.scope_id.as_deref().map(|id| id.replace('\0', "")),
        after_counter,
        after_key,
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let mut keys = std::collections::HashMap::new();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let key = Digest::try_from(row.key)
            .map_err(|_| sqlx::Error::Decode("a digest of another length".into()))?;
        keys.insert(key, row.text);
        items.push(Usage {
            key,
            policy: row.policy,
            counter: row.counter,
            scope: row.scope,
            scope_id: row.scope_id,
            span: row.span,
            used: row.used,
            most: row.most,
            ends_at: row.ends_at,
        });
    }
    Ok(Page::cut(items, page.limit, |usage| {
        (usage.counter.clone(), keys.get(&usage.key).cloned().unwrap_or_default())
    }))
}

/// Forgets what was counted under a digest; whether anything was.
///
/// # Errors
/// When the database refuses.
pub async fn reset(tx: &mut OrgTx, key: &Digest) -> DbResult<Option<Usage>> {
    // The head of the record is what counts are taken under.
    sqlx::query!("select seq from audit_heads where org_id = $1 for update", tx.org().uuid())
        .fetch_optional(tx.conn())
        .await?;
    let rows = sqlx::query!(
        r#"delete from limit_counts where org_id = $1 and key = $2
        returning policy_id as "policy: PolicyId", counter, scope, scope_id, span, used::text as "used!",
            most::text as "most!", ends_at"#,
        tx.org().uuid(),
        key.as_slice()
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!("delete from limit_values where org_id = $1 and key = $2", tx.org().uuid(), key.as_slice())
        .execute(tx.conn())
        .await?;
    // What calls under way would give back was forgotten with the rest; places are not counted but held.
    sqlx::query!(
        "delete from limit_holds where org_id = $1 and key = $2 and not is_slot",
        tx.org().uuid(),
        key.as_slice()
    )
    .execute(tx.conn())
    .await?;
    Ok(rows.into_iter().last().map(|row| Usage {
        key: *key,
        policy: row.policy,
        counter: row.counter,
        scope: row.scope,
        scope_id: row.scope_id,
        span: row.span,
        used: row.used,
        most: row.most,
        ends_at: row.ends_at,
    }))
}

/// Forgets what was counted in spans that were over a day before a moment, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let before = now - Duration::DAY;
    let counts = sqlx::query!("delete from limit_counts where org_id is not null and ends_at < $1", before)
        .execute(tx.conn())
        .await?;
    sqlx::query!("delete from limit_values where org_id is not null and ends_at < $1", before)
        .execute(tx.conn())
        .await?;
    sqlx::query!("delete from call_rounds where org_id is not null and at < $1", before)
        .execute(tx.conn())
        .await?;
    Ok(counts.rows_affected())
}
