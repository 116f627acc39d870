/**
 * A machine in memory: make one with {@link io.twostep.machine.model.ModelMachine#create}, or by name through {@link
 * io.twostep.machine.model.ModelMachinePlugin}. Everything random in it comes from one seed. Devices are models handed in; nothing here knows any of them.
 */
@NullMarked
package io.twostep.machine.model;

import org.jspecify.annotations.NullMarked;
