# Every validation refuses what it is there to refuse. A run costs two seconds, so each breaks one rule of
# every variable that has so many: the first run the first rules, the second run the second ones.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111111111111" }
}

run "first_rules" {
  command = plan
  variables {
    environment          = "Dev"
    partition            = "aws-cn"
    allowed_account_ids  = ["1234"]
    artefacts_dir        = "tests/fixtures/nowhere"
    log                  = { level = "TRACE" }
    list_retention_days  = 0
    secret_recovery_days = 3
    mail_domain          = "me@example.com"
    mail_secret_name     = "smtp credentials"
    jwt_issuer           = "http://issuer.example.com"
    roles_claim          = " "
    programs             = { reports = "owner" }
    console_urls         = ["http://console.example.com/"]
    emulator_url         = "http://127.0.0.1:4566"

    sign_in_domain_prefix = "-prefix"

    approval_over_recipients = -1

    api                = { memory_mb = 64 }
    import_queue       = { visibility_timeout_seconds = 43201 }
    dispatch_queue     = { visibility_timeout_seconds = 43201 }
    import_contacts    = { memory_mb = 10241 }
    dispatch           = { memory_mb = 10241 }
    email_queue        = { visibility_timeout_seconds = 0 }
    email_worker       = { memory_mb = 127 }
    feedback_queue     = { visibility_timeout_seconds = 0 }
    feedback           = { memory_mb = 10241 }
    sweep              = { memory_mb = 127 }
    unknown_policy     = "retry"
    rate_safety_factor = 1.1
    reputation         = { bounce = { pause = 1.5 } }
    task_processor     = { memory_mb = 127 }
    periodic_tasks     = { nightly = { task = "x", schedule = "every night" } }
    task_buckets       = { uploads = ["list"] }
    task_files         = { export_days = 0 }
    task_email_service = "sendmail"
  }
  expect_failures = [
    var.environment,
    var.partition,
    var.allowed_account_ids,
    var.artefacts_dir,
    var.log,
    var.list_retention_days,
    var.secret_recovery_days,
    var.mail_domain,
    var.mail_secret_name,
    var.jwt_issuer,
    var.roles_claim,
    var.programs,
    var.console_urls,
    var.emulator_url,
    var.sign_in_domain_prefix,
    var.approval_over_recipients,
    var.api,
    var.import_queue,
    var.dispatch_queue,
    var.import_contacts,
    var.dispatch,
    var.email_queue,
    var.email_worker,
    var.feedback_queue,
    var.feedback,
    var.sweep,
    var.unknown_policy,
    var.rate_safety_factor,
    var.reputation,
    var.task_processor,
    var.periodic_tasks,
    var.task_buckets,
    var.task_email_service,
    var.task_files,
  ]
}

run "second_rules" {
  command = plan
  variables {
    log                  = { retention_days = 10 }
    list_retention_days  = 3651
    secret_recovery_days = 31
    api                  = { timeout_seconds = 30 }
    import_queue         = { retention_days = 15 }
    dispatch_queue       = { retention_days = 15 }
    import_contacts      = { timeout_seconds = 59 }
    dispatch             = { timeout_seconds = 901 }
    email_queue          = { dead_letter_retention_days = 15 }
    email_worker         = { timeout_seconds = 0 }
    feedback_queue       = { retention_days = 0 }
    feedback             = { timeout_seconds = 901 }
    sweep                = { timeout_seconds = 9 }
    rate_safety_factor   = 0
    reputation           = { complaint = { warn = 0.0008 } }
    task_processor       = { timeout_seconds = 901 }
    periodic_tasks       = { nightly = { task = "x", schedule = "rate(1 day)", kwargs_json = "[]" } }
    task_files           = { link_minutes = 61 }
  }
  expect_failures = [
    var.log,
    var.list_retention_days,
    var.secret_recovery_days,
    var.api,
    var.import_queue,
    var.dispatch_queue,
    var.import_contacts,
    var.dispatch,
    var.email_queue,
    var.email_worker,
    var.feedback_queue,
    var.feedback,
    var.sweep,
    var.rate_safety_factor,
    var.reputation,
    var.task_processor,
    var.periodic_tasks,
    var.task_files,
  ]
}

run "third_rules" {
  command = plan
  variables {
    api             = { rate_limit = 50, burst_limit = 10 }
    import_queue    = { max_receive_count = 1 }
    dispatch_queue  = { max_receive_count = 1 }
    import_contacts = { batch_size = 0 }
    dispatch        = { batch_size = 0 }
    email_queue     = { max_receive_count = 1001 }
    email_worker    = { batch_size = 10001 }
    feedback_queue  = { max_receive_count = 1 }
    feedback        = { batch_size = 0 }
    sweep           = { log_retention_days = 2 }
    reputation      = { minimum_volume = 0 }
    task_processor  = { max_attempts = 0 }
    periodic_tasks  = { nightly = { task = "x", schedule = "rate(1 day)", queue = "none" } }
  }
  expect_failures = [
    var.api,
    var.import_queue,
    var.dispatch_queue,
    var.import_contacts,
    var.dispatch,
    var.email_queue,
    var.email_worker,
    var.feedback_queue,
    var.feedback,
    var.sweep,
    var.reputation,
    var.task_processor,
    var.periodic_tasks,
  ]
}

run "fourth_rules" {
  command = plan
  variables {
    import_contacts = { batching_window_seconds = 301 }
    dispatch        = { batching_window_seconds = 301 }
    email_worker    = { batching_window_seconds = -1 }
    feedback        = { batching_window_seconds = 301 }
    reputation      = { minimum_volume = 1.5 }
    task_queues     = { mail = {} }
    task_processor  = { backoff_seconds = 901 }
  }
  expect_failures = [
    var.import_contacts,
    var.dispatch,
    var.email_worker,
    var.feedback,
    var.reputation,
    var.task_queues,
    var.task_processor,
  ]
}

run "fifth_rules" {
  command = plan
  variables {
    import_contacts = { maximum_concurrency = 1 }
    dispatch        = { maximum_concurrency = 1 }
    email_worker    = { maximum_concurrency = 1001 }
    feedback        = { maximum_concurrency = 1 }
    reputation      = { bounce = { warn = 0 } }
    task_queues     = { tasks = { dead_letter_retention_days = 15 } }
  }
  expect_failures = [
    var.import_contacts,
    var.dispatch,
    var.email_worker,
    var.feedback,
    var.reputation,
    var.task_queues,
  ]
}

run "rules_of_many_task_queues" {
  command = plan
  variables {
    task_queues = { tasks = {}, mail = { max_receive_count = 1 } }
  }
  expect_failures = [var.task_queues]
}

run "rules_of_their_mappings" {
  command = plan
  variables {
    task_queues = { tasks = {}, mail = { maximum_concurrency = 1 } }
  }
  expect_failures = [var.task_queues]
}

run "signed_code_needs_a_bucket_and_no_emulator" {
  command = plan
  variables { code_signing_profile_version_arn = "arn:aws:signer:us-east-1:111111111111:/signing-profiles/p/v" }
  expect_failures = [var.code_signing_profile_version_arn]
}
