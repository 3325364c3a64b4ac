//! The floor on PostgreSQL: one statement per request, four round trips for a PATCH.

use super::{Refusal, with_active};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

#[derive(Clone)]
pub struct Database(PgPool);

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Taken,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Database {
    pub async fn open(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(16).connect(url).await.expect("the database answers");
        for statement in [
            "CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, doc JSONB NOT NULL)",
            "CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, doc JSONB NOT NULL)",
            "CREATE TABLE IF NOT EXISTS members (group_id TEXT, member_id TEXT, PRIMARY KEY (group_id, member_id))",
        ] {
            sqlx::query(statement).execute(&pool).await.expect("the tables can be made");
        }
        Self(pool)
    }

    pub async fn create(&self, id: String, name: String, doc: String) -> Result<(), Refusal> {
        let insert = sqlx::query("INSERT INTO users (id, name, doc) VALUES ($1, $2, $3::jsonb)");
        insert.bind(id).bind(name).bind(doc).execute(&self.0).await?;
        Ok(())
    }

    pub async fn find(&self, id: String) -> Result<String, Refusal> {
        Ok(sqlx::query_scalar("SELECT doc::text FROM users WHERE id = $1").bind(id).fetch_one(&self.0).await?)
    }

    pub async fn named(&self, name: String) -> Result<Vec<String>, Refusal> {
        Ok(sqlx::query_scalar("SELECT doc::text FROM users WHERE name = $1").bind(name).fetch_all(&self.0).await?)
    }

    pub async fn page(&self, count: i64) -> Result<Vec<String>, Refusal> {
        Ok(sqlx::query_scalar("SELECT doc::text FROM users ORDER BY id LIMIT $1").bind(count).fetch_all(&self.0).await?)
    }

    pub async fn set_active(&self, id: String, active: bool) -> Result<String, Refusal> {
        let mut transaction = self.0.begin().await?;
        let doc: String = sqlx::query_scalar("SELECT doc::text FROM users WHERE id = $1 FOR UPDATE")
            .bind(&id)
            .fetch_one(&mut *transaction)
            .await?;
        let doc = with_active(&doc, active)?;
        sqlx::query("UPDATE users SET doc = $2::jsonb WHERE id = $1").bind(id).bind(&doc).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(doc)
    }

    pub async fn create_group(&self, id: String, doc: String) -> Result<(), Refusal> {
        let insert = sqlx::query("INSERT INTO groups (id, doc) VALUES ($1, $2::jsonb)");
        insert.bind(id).bind(doc).execute(&self.0).await?;
        Ok(())
    }

    pub async fn add_member(&self, group: String, member: String) -> Result<(), Refusal> {
        let insert = sqlx::query("INSERT INTO members (group_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        insert.bind(group).bind(member).execute(&self.0).await?;
        Ok(())
    }
}
