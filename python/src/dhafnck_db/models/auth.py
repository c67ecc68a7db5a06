"""The application's own users, sessions and API tokens.

It never touches Supabase's schema auth; sessions and API tokens there are not these.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from dhafnck_db.models.base import (
    SECRET,
    Base,
    Id,
    JsonList,
    JsonObject,
    LongText,
    No,
    Now,
    Owner,
    Yes,
    Zero,
)


class User(Base):
    """A person who can log in to the application."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("length(email) > 0", name="check_email_not_empty"),
        CheckConstraint("length(username) > 0", name="check_username_not_empty"),
        Index("ix_users_email", "email"),
        Index("ix_users_password_reset_token", "password_reset_token"),
        Index("ix_users_refresh_token_family", "refresh_token_family"),
        Index("ix_users_status", "status"),
        Index("ix_users_username", "username"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    username: Mapped[str] = mapped_column(String(150), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    full_name: Mapped[str | None] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(50), server_default="PENDING_VERIFICATION")
    roles: Mapped[JsonList]
    email_verified: Mapped[No]
    email_verified_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    failed_login_attempts: Mapped[Zero]
    locked_until: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    password_reset_token: Mapped[str | None] = mapped_column(String(255), unique=True, info=SECRET)
    password_reset_expires: Mapped[datetime | None]
    refresh_token_family: Mapped[str | None] = mapped_column(String(255), info=SECRET)
    refresh_token_version: Mapped[Zero]
    created_at: Mapped[Now]
    updated_at: Mapped[Now]
    created_by: Mapped[str | None] = mapped_column(String(255))
    project_ids: Mapped[JsonList]
    default_project_id: Mapped[UUID | None]
    metadata_: Mapped[JsonObject] = mapped_column("metadata")


class UserSession(Base):
    """A login of a user, from one device."""

    __tablename__ = "user_sessions"
    __table_args__ = (
        Index("ix_user_sessions_is_active", "is_active"),
        Index("ix_user_sessions_refresh_token", "refresh_token"),
        Index("ix_user_sessions_session_token", "session_token"),
        Index("ix_user_sessions_user_id", "user_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_token: Mapped[str] = mapped_column(String(255), unique=True, info=SECRET)
    refresh_token: Mapped[str | None] = mapped_column(String(255), unique=True, info=SECRET)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[LongText | None]
    device_info: Mapped[JsonObject]
    created_at: Mapped[Now]
    last_activity: Mapped[Now]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    is_active: Mapped[Yes]


class ApiToken(Base):
    """A key that a program uses instead of a login."""

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[Owner]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(info=SECRET)
    scopes: Mapped[JsonList]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    usage_count: Mapped[Zero]
    rate_limit: Mapped[int] = mapped_column(server_default=text("1000"))
    is_active: Mapped[Yes]
    token_metadata: Mapped[JsonObject]
