/** A stranger's backends for Twostep: a terminal that translates through one fixed aperture, and a layer that limits what a device holds. */
package com.example.aperture;
