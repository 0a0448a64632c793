# Development. Replace owner, artefact_bucket, mail_domain, default_from_email and allowed_account_ids with your own.
environment = "dev"
aws_region  = "us-east-1"
partition   = "aws"
owner       = "communications"

artefact_bucket = "sendmill-dev-artefacts"

mail_domain        = "dev.example.com"
default_from_email = "noreply@dev.example.com"

protect_data          = false
customer_managed_keys = false
list_retention_days   = 30
secret_recovery_days  = 7

log          = { level = "DEBUG", retention_days = 30 }
api          = { rate_limit = 10, burst_limit = 50 }
email_worker = { maximum_concurrency = 2 } # a new SES account sends one mail a second
