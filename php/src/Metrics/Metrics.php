<?php

declare(strict_types=1);

namespace PyRoadRunner\Metrics;

use PyRoadRunner\Rpc\Rpc;

/**
 * Metrics of the application: the server's `metrics` section exposes them to Prometheus.
 *
 * Names are without namespace and subsystem. Labels are values in the order of the declaration; each label should have
 * few distinct values. Every method throws RpcException if the server replies with an error, and RelayException if it
 * can't be reached.
 */
final class Metrics
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The metrics of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /**
     * Declares a metric. An existing one is not changed: every worker may declare it when it boots.
     *
     * @param string               $type       "counter", "gauge", "histogram" or "summary"
     * @param list<string>         $labels     names of the labels
     * @param list<float>          $buckets    upper bounds of a histogram; empty: Prometheus' defaults
     * @param array<string, float> $objectives quantiles of a summary and their allowed errors, ['0.95' => 0.01]
     */
    public function declare(
        string $name,
        string $type,
        string $help = '',
        string $namespace = '',
        string $subsystem = '',
        array $labels = [],
        array $buckets = [],
        array $objectives = [],
    ): void {
        $this->rpc->call('metrics.Declare', ['name' => $name, 'collector' => [
            'type' => $type,
            'help' => $help,
            'namespace' => $namespace,
            'subsystem' => $subsystem,
            'labels' => array_values($labels),
            'buckets' => array_values($buckets),
            'objectives' => (object) $objectives,
        ]]);
    }

    /** Removes a metric and its values. */
    public function unregister(string $name): void
    {
        $this->rpc->call('metrics.Unregister', $name);
    }

    /**
     * Adds to a counter (0 or more) or a gauge.
     *
     * @param list<string> $labels
     */
    public function add(string $name, float $value = 1, array $labels = []): void
    {
        $this->change('Add', $name, $value, $labels);
    }

    /**
     * Subtracts from a gauge.
     *
     * @param list<string> $labels
     */
    public function sub(string $name, float $value = 1, array $labels = []): void
    {
        $this->change('Sub', $name, $value, $labels);
    }

    /**
     * Sets a gauge.
     *
     * @param list<string> $labels
     */
    public function set(string $name, float $value, array $labels = []): void
    {
        $this->change('Set', $name, $value, $labels);
    }

    /**
     * Adds an observation to a histogram or a summary.
     *
     * @param list<string> $labels
     */
    public function observe(string $name, float $value, array $labels = []): void
    {
        $this->change('Observe', $name, $value, $labels);
    }

    /** @param list<string> $labels */
    private function change(string $method, string $name, float $value, array $labels): void
    {
        $this->rpc->call("metrics.{$method}", ['name' => $name, 'value' => $value, 'labels' => array_values($labels)]);
    }
}
