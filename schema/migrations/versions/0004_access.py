"""access

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Moment = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "app_user",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="argon2id, with its parameters and salt"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("created_at", Moment, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("last_login_at", Moment),
        sa.PrimaryKeyConstraint("username", name="pk_app_user"),
        sa.CheckConstraint("username ~ '^[A-Za-z0-9_.@+-]{1,64}$'", name=op.f("ck_app_user_username")),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin')", name=op.f("ck_app_user_role")),
    )
    op.create_index("uq_app_user_username_folded", "app_user", [sa.text("lower(username)")], unique=True)
    op.create_table(
        "login_session",
        sa.Column("token_hash", sa.Text(), nullable=False, comment="SHA-256 of what the cookie holds"),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_session"),
        sa.ForeignKeyConstraint(
            ["username"],
            ["app_user.username"],
            name="fk_login_session_username",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )
    op.create_index("ix_login_session_username", "login_session", ["username"])
    op.create_index("ix_login_session_expires_at", "login_session", ["expires_at"])
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False, comment="how it begins, so that a person knows it again"),
        sa.Column("key_hash", sa.Text(), nullable=False, comment="SHA-256; a key is random, so no salt is needed"),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("functions", sa.JSON(none_as_null=True), comment="null: all"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, comment="null: never"),
        sa.Column("last_used_at", Moment, comment="to the minute"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("name", name="uq_api_key_name"),
        sa.UniqueConstraint("key_hash", name="uq_api_key_key_hash"),
    )
    op.create_table(
        "login_failure",
        sa.Column("subject", sa.Text(), nullable=False, comment="whom or what the failures are counted for"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Moment, nullable=False),
        sa.Column("blocked_until", Moment, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_login_failure"),
    )
    op.create_index("ix_login_failure_last_at", "login_failure", ["last_at"])


def downgrade() -> None:
    for table in ("login_failure", "api_key", "login_session", "app_user"):
        op.drop_table(table)
