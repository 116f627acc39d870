/**
 * A controller in software: the registers, queues and namespaces of the NVMe specifications, seen from the device's side.
 *
 * <p>The model reaches host memory only through its bus master, has no thread and no clock of its own, and is a set of parameters:
 * {@link io.twostep.device.nvme.model.NvmeModelConfig}. It refuses what a strict controller refuses and misbehaves only as its
 * {@link io.twostep.device.nvme.model.FaultPlan} says. It shares nothing with the host driver but the wire layouts and the guards.
 */
@NullMarked
package io.twostep.device.nvme.model;

import org.jspecify.annotations.NullMarked;
