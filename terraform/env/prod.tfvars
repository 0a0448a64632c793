# Production. Replace owner, artefact_bucket, mail_domain, default_from_email and allowed_account_ids with your own.
environment = "prod"
aws_region  = "us-east-1"
partition   = "aws"
owner       = "communications"

artefact_bucket = "sendmill-prod-artefacts"

mail_domain        = "mail.example.com"
default_from_email = "noreply@mail.example.com"
