# Tables and bucket refuse to be deleted or read by the public, and no key stands in the state.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  deployment = {
    name_prefix = "sendmill-dev"
    environment = "dev"
    partition   = "aws"
    dns_suffix  = "amazonaws.com"
    region      = "us-east-1"
    account_id  = "111111111111"
  }
  protect_data         = true
  list_retention_days  = 396
  upload_origins       = ["https://api.example.com/v1", "https://api.example.com/", "https://console.example.com/"]
  secret_recovery_days = 30
  emulated             = false
}

run "data" {
  command = plan
  module { source = "./modules/store" }

  assert {
    condition = alltrue([
      for table in [aws_dynamodb_table.campaigns, aws_dynamodb_table.recipients] :
      table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled && table.server_side_encryption[0].enabled && one(table.ttl).attribute_name == "ttl" && table.billing_mode == "PAY_PER_REQUEST"
    ])
    error_message = "A table lacks deletion protection, recovery, encryption, forgetting or demand pricing."
  }

  assert {
    condition = (
      !module.contacts_bucket.protection.force_destroy && !module.contacts_bucket.protection.public
      && module.contacts_bucket.protection.versioned && module.contacts_bucket.protection.policies == 1
    )
    error_message = "The bucket of contact lists can be emptied, or can be made public."
  }

  assert {
    condition     = toset(flatten([for rule in aws_s3_bucket_lifecycle_configuration.contacts.rule : [for filter in rule.filter : filter.prefix if try(rule.expiration[0].days == 1 && rule.noncurrent_version_expiration[0].noncurrent_days == 1, false)]])) == toset(["uploads/"])
    error_message = "What is uploaded and never imported is kept for longer than a day."
  }

  assert {
    condition     = one(aws_s3_bucket_cors_configuration.contacts.cors_rule).allowed_origins == toset(["https://api.example.com", "https://console.example.com"]) && one(aws_s3_bucket_cors_configuration.contacts.cors_rule).allowed_methods == toset(["PUT"])
    error_message = "Other pages may upload contacts, or do more than that."
  }

  assert {
    condition     = module.contacts_bucket.name == "sendmill-dev-contacts-111111111111-us-east-1"
    error_message = "The bucket is called ${module.contacts_bucket.name}."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.keys.secret_string == null && aws_secretsmanager_secret_version.keys.secret_string_wo == null
    error_message = "The keys would be written into the state."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.keys.secret_string_wo_version == 1
    error_message = "Another version overwrites all keys: every link already mailed stops working."
  }
}

run "mail" {
  command = plan
  module { source = "./modules/mail" }
  variables {
    domain             = "example.com"
    default_from_email = "noreply@example.com"
    secret_name        = "smtp"
  }

  assert {
    condition     = aws_sesv2_configuration_set.this.delivery_options[0].tls_policy == "REQUIRE"
    error_message = "A mail might leave unencrypted."
  }

  assert {
    condition     = aws_sesv2_email_identity_mail_from_attributes.this["this"].mail_from_domain == "bounce.example.com"
    error_message = "The envelope sender is not below the domain, so SPF would not align."
  }
}
