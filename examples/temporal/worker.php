<?php

declare(strict_types=1);

use Temporal\Activity\ActivityInterface;
use Temporal\Activity\ActivityMethod;
use Temporal\Activity\ActivityOptions;
use Temporal\WorkerFactory;
use Temporal\Workflow;
use Temporal\Workflow\WorkflowInterface;
use Temporal\Workflow\WorkflowMethod;

require __DIR__ . '/vendor/autoload.php';

#[ActivityInterface]
final class Greetings
{
    #[ActivityMethod]
    public function compose(string $name): string
    {
        return "Hello {$name}!";
    }
}

#[WorkflowInterface]
final class GreetingWorkflow
{
    #[WorkflowMethod]
    public function greet(string $name): \Generator
    {
        $options = ActivityOptions::new()->withStartToCloseTimeout(5);
        $greetings = Workflow::newActivityStub(Greetings::class, $options);
        yield Workflow::timer(1);

        return yield $greetings->compose($name);
    }
}

$factory = WorkerFactory::create();
$worker = $factory->newWorker('greetings');
$worker->registerWorkflowTypes(GreetingWorkflow::class);
$worker->registerActivity(Greetings::class);
$factory->run();
