/** A kernel with VFIO and devices in it, and its file systems as folders. Written from the user API, not from the code under test. */
package io.twostep.machine.linux.fake;
