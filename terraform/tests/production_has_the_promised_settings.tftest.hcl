# The settings the design promises are the defaults, and they reach the function and its mapping.

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

run "defaults" {
  command = plan

  assert {
    condition = var.email_queue == {
      visibility_timeout_seconds = 900
      retention_days             = 4
      max_receive_count          = 3
      dead_letter_retention_days = 14
    }
    error_message = "The e-mail queue's defaults changed: ${jsonencode(var.email_queue)}."
  }

  assert {
    condition     = [var.email_worker.memory_mb, var.email_worker.timeout_seconds, var.email_worker.batch_size, var.email_worker.batching_window_seconds] == [512, 300, 10, 5]
    error_message = "The e-mail worker's defaults changed: ${jsonencode(var.email_worker)}."
  }

  assert {
    condition = var.feedback_queue == {
      visibility_timeout_seconds = 360
      retention_days             = 13
      max_receive_count          = 8
      dead_letter_retention_days = 14
    } && var.feedback.timeout_seconds * 6 == var.feedback_queue.visibility_timeout_seconds && var.feedback.batch_size == 10
    error_message = "The feedback queue's defaults changed: ${jsonencode([var.feedback_queue, var.feedback])}."
  }

  assert {
    condition     = jsonencode(var.reputation) == "{\"bounce\":{\"pause\":0.04,\"warn\":0.02},\"complaint\":{\"pause\":0.0008,\"warn\":0.0004},\"minimum_volume\":500}"
    error_message = "Sending is paused at other shares than promised, or told to the function in another shape: ${jsonencode(var.reputation)}."
  }

  assert {
    condition     = var.message_group_fairness && var.unknown_policy == "auto" && var.rate_safety_factor == 0.9
    error_message = "The sending rules' defaults changed."
  }

  assert {
    condition     = output.function_names.feedback == "sendmill-dev-feedback" && output.function_names.sweep == "sendmill-dev-sweep"
    error_message = "The functions are called ${jsonencode(output.function_names)}."
  }

  assert {
    condition     = output.function_names.email_worker == "sendmill-dev-email-worker"
    error_message = "The worker is called ${output.function_names.email_worker}."
  }

  assert {
    condition = jsonencode(var.task_queues) == jsonencode({
      tasks = {
        batch_size                 = 10
        batching_window_seconds    = 5
        dead_letter_retention_days = 14
        max_receive_count          = 20
        maximum_concurrency        = 10
        retention_days             = 14
        visibility_timeout_seconds = 1800
      }
    })
    error_message = "The task queue's defaults changed: ${jsonencode(var.task_queues)}."
  }

  assert {
    condition     = jsonencode([var.task_processor, var.task_files, var.periodic_tasks, var.task_buckets]) == "[{\"backoff_seconds\":30,\"max_attempts\":3,\"memory_mb\":1024,\"timeout_seconds\":300},{\"export_days\":30,\"link_minutes\":5},{},{}]"
    error_message = "The task processor's defaults changed: ${jsonencode([var.task_processor, var.task_files, var.periodic_tasks, var.task_buckets])}."
  }

  assert {
    condition     = output.function_names.task_processor == "sendmill-dev-task-processor" && output.task_files_bucket == "sendmill-dev-files-111111111111-us-east-1" && output.task_receipts_table == "sendmill-dev-tasks"
    error_message = "The things of the tasks are called ${output.function_names.task_processor}, ${output.task_files_bucket} and ${output.task_receipts_table}."
  }
}

run "they_reach_the_mapping" {
  command = plan
  module { source = "./modules/worker" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
    }
    package    = { filename = "x.zip", digest = "aa" }
    layer_arns = []
    log        = { level = "INFO", retention_days = 30 }
    name       = "email_worker"
    settings = {
      memory_mb               = 512
      timeout_seconds         = 300
      batch_size              = 10
      batching_window_seconds = 5
      maximum_concurrency     = 10
    }
    queue = {
      arn                        = "arn:aws:sqs:us-east-1:111111111111:queue"
      consume_policy_json        = "{}"
      visibility_timeout_seconds = 900
    }
    environment_variables = {}
    policies              = {}
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.this.batch_size == 10
      && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 5
      && aws_lambda_event_source_mapping.this.scaling_config[0].maximum_concurrency == 10
    )
    error_message = "The mapping does not take its bites from the settings."
  }

  assert {
    condition     = contains(aws_lambda_event_source_mapping.this.function_response_types, "ReportBatchItemFailures")
    error_message = "One bad message would bring back its whole batch."
  }
}

run "they_reach_the_function" {
  command = plan
  module { source = "./modules/function" }
  variables {
    deployment = {
      name_prefix = "sendmill-dev"
      environment = "dev"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      region      = "us-east-1"
      account_id  = "111111111111"
    }
    package               = { filename = "x.zip", digest = "aa" }
    layer_arns            = []
    log                   = { level = "INFO", retention_days = 30 }
    name                  = "email_worker"
    memory_mb             = 512
    timeout_seconds       = 300
    environment_variables = { EMAIL_QUEUE_URL = "https://queue" }
    policies              = {}
  }

  assert {
    condition = (
      aws_lambda_function.this.memory_size == 512
      && aws_lambda_function.this.timeout == 300
      && aws_lambda_function.this.runtime == "python3.13"
      && aws_lambda_function.this.architectures == tolist(["arm64"])
    )
    error_message = "The function does not take its size from the settings."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      EMAIL_QUEUE_URL              = "https://queue"
      ENVIRONMENT                  = "dev"
      LOG_LEVEL                    = "INFO"
      POWERTOOLS_METRICS_NAMESPACE = "Sendmill"
      POWERTOOLS_SERVICE_NAME      = "email_worker"
    })
    error_message = "The function's environment is not what it asked for and the shared names."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log group keeps logs for another time than set."
  }
}
