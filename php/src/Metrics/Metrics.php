<?php

declare(strict_types=1);

namespace PyRoadRunner\Metrics;

use PyRoadRunner\Rpc\Rpc;

/**
 * Metrics the application counts: the server's `metrics` section shows them to Prometheus.
 *
 * A name is the bare one, without namespace and subsystem. Labels are values, in the order of the declaration; they
 * should have few different ones. Every method throws RpcException with the server's words when it says no,
 * RelayException when it can't be reached.
 */
final class Metrics
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** Those of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /**
     * Makes a metric. One that is there already stays as it is: every worker may declare it when it boots.
     *
     * @param string               $type       "counter", "gauge", "histogram" or "summary"
     * @param list<string>         $labels     their names
     * @param list<float>          $buckets    upper bounds of a histogram; none: Prometheus' own
     * @param array<string, float> $objectives quantiles of a summary and the error allowed, ['0.95' => 0.01]
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

    /** Forgets a metric and all it has counted. */
    public function unregister(string $name): void
    {
        $this->rpc->call('metrics.Unregister', $name);
    }

    /**
     * Of a counter (not below 0) or a gauge.
     *
     * @param list<string> $labels
     */
    public function add(string $name, float $value = 1, array $labels = []): void
    {
        $this->change('Add', $name, $value, $labels);
    }

    /**
     * Of a gauge.
     *
     * @param list<string> $labels
     */
    public function sub(string $name, float $value = 1, array $labels = []): void
    {
        $this->change('Sub', $name, $value, $labels);
    }

    /**
     * Of a gauge.
     *
     * @param list<string> $labels
     */
    public function set(string $name, float $value, array $labels = []): void
    {
        $this->change('Set', $name, $value, $labels);
    }

    /**
     * Of a histogram or a summary.
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
