# A laptop, always on the emulator (env/emulated.tfvars is added after this file). The region is GovCloud's,
# so that messages written for it run here unchanged.
environment = "local"
aws_region  = "us-gov-west-1"
partition   = "aws-us-gov"
owner       = "you"

artefacts_dir    = "../build/local"
publish_versions = false # five seconds a function, one after the other

mail_domain        = "example.com"
default_from_email = "noreply@example.com"

# A program of each role, for the tests.
programs = { viewer = "viewer", editor = "editor", sender = "sender", admin = "admin" }

# Where `sendmill login` has the browser come back to.
console_urls = ["http://localhost:8976/"]

list_retention_days   = 1
customer_managed_keys = false
log                   = { level = "DEBUG", retention_days = 1 }

# Short times, so that what a crash left behind comes back within a test.
import_queue    = { visibility_timeout_seconds = 180 }
import_contacts = { timeout_seconds = 60 }
dispatch_queue  = { visibility_timeout_seconds = 90 }
dispatch        = { timeout_seconds = 30, maximum_concurrency = 2 }
email_queue     = { visibility_timeout_seconds = 180 }
email_worker    = { timeout_seconds = 60, batching_window_seconds = 0, maximum_concurrency = 4 }
feedback_queue  = { visibility_timeout_seconds = 60 }
feedback        = { timeout_seconds = 10, batching_window_seconds = 0, maximum_concurrency = 2 }
sweep           = { log_retention_days = 1 }
task_processor  = { timeout_seconds = 60, backoff_seconds = 1 }
task_queues     = { tasks = { visibility_timeout_seconds = 360, batching_window_seconds = 0, maximum_concurrency = 4 } }
# Switched off: a test has it fire once.
periodic_tasks = {
  daily-figures = {
    task        = "generate_report"
    schedule    = "cron(0 3 * * ? *)"
    kwargs_json = "{\"title\": \"Daily figures\", \"formats\": [\"csv\"], \"rows\": [{\"state\": \"alive\"}]}"
    enabled     = false
  }
}
