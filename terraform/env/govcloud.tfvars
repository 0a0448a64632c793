# Production in AWS GovCloud (US): own account, own credentials, own partition, FIPS endpoints.
# Replace owner, artefact_bucket, mail_domain, default_from_email and allowed_account_ids with your own.
environment = "govcloud"
aws_region  = "us-gov-west-1"
partition   = "aws-us-gov"
owner       = "communications"

artefact_bucket = "sendmill-govcloud-artefacts"

use_fips_endpoints = true

mail_domain        = "mail.example.com"
default_from_email = "noreply@mail.example.com"
