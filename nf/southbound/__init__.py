"""Southbound protocol between the controller and a network function instance."""
